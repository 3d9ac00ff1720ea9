// For pages that load it by a plain <script>.

import { ResumableUploader } from "./uploader.js";

Object.assign(globalThis, { ResumableUploader });
