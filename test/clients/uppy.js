// A page whose person presses buttons.
import Uppy from "@uppy/core";
import AwsS3 from "@uppy/aws-s3";

const uppy = new Uppy({ autoProceed: true }).use(AwsS3, {
  companionEndpoint: location.origin,
  shouldUseMultipart: (file) => file.size > 1024 * 1024,
});
uppy.on("upload-success", (file, { uploadURL }) => done({ url: uploadURL }));
uppy.on("upload-error", (file, error) => failed(error.message));
for (const word of ["pauseAll", "resumeAll", "cancelAll"]) {
  const button = document.createElement("button");
  button.id = word;
  button.onclick = () => uppy[word]();
  document.body.append(button);
}
document.querySelector("#files").onchange = (event) => {
  for (const file of event.target.files) uppy.addFile({ name: file.name, type: file.type, data: file });
};
