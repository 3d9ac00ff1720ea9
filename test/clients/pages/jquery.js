import $ from "jquery";
import "blueimp-file-upload";

$("#files").fileupload({
  url: "/upload",
  dataType: "json",
  paramName: "files[]",
  maxChunkSize: 1024 * 1024,
  add(event, data) {
    data.formData = { upload_id: crypto.randomUUID() };
    data.submit();
  },
  done: (event, data) => done(data.result),
  fail(event, data) { // it never tries again by itself
    setTimeout(async () => {
      const [file] = data.files;
      const query = new URLSearchParams({ file: file.name, ...data.formData });
      const here = await fetch(`/upload?${query}`).then((answer) => answer.json(), () => undefined);
      if (!here) return $(this).fileupload("option", "fail").call(this, event, data);
      if (here.complete) return done(here); // only the last answer was lost
      data.uploadedBytes = here.file?.size ?? 0;
      data.data = null;
      data.submit();
    }, 1000);
  },
});
