import plupload from "plupload";

const uploader = new plupload.Uploader({
  url: "/upload",
  browse_button: "browse",
  chunk_size: 1024 * 1024,
  filters: { prevent_empty: false },
  max_retries: 1000, // one each second; it gives up at once otherwise
  init: {
    FilesAdded: (up) => up.start(),
    BeforeUpload: (up, file) => up.setOption("multipart_params", { upload_id: file.id }),
    FileUploaded: (up, file, result) => done(JSON.parse(result.response)),
    Error: (up, error) => failed(error.message),
  },
});
uploader.init();
