import type { Sender, StreamsOptions } from "./client.js";

/**
 * Sends requests over Socket.IO, for `new Uploader({ send: streams() })`: one
 * WebSocket for each server, beside the target's path, at "../socket.io/". Where
 * none gets through, and where there are none, requests go by HTTP; an upload
 * stays with the way by which it was begun.
 */
export declare const streams: (o?: StreamsOptions) => Sender;
