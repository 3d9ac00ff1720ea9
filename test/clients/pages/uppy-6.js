import Uppy from "@uppy/core";
import AwsS3 from "@uppy/aws-s3";

const uppy = new Uppy({ autoProceed: true }).use(AwsS3, { companionEndpoint: location.origin, shouldUseMultipart: true });
uppy.on("upload-success", (file, { uploadURL }) => done({ url: uploadURL }));
uppy.on("upload-error", (file, error) => failed(error.message));
document.querySelector("#again").onclick = () => uppy.retryAll();
document.querySelector("#files").onchange = (event) => {
  for (const file of event.target.files) uppy.addFile({ name: file.name, type: file.type, data: file });
};
