/** The muleteer client: uploads that survive anything. */
import { Client } from "./uploader.js";
import type { Uploader as UploaderType, UploaderConstructor } from "./types.js";

export type * from "./types.js";
export { messages } from "./errors.js";

export type Uploader = UploaderType;
export const Uploader: UploaderConstructor = Client as unknown as UploaderConstructor;
