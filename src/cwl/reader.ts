/** How this room reads documents: the helper gives it the file system, the language server the open editors. */
export interface Reader {
  /** The text behind a `file:` or `http(s):` URI; throws a Failure `cwl/not-readable` if it can't be had. */
  read(uri: string): Promise<string>;
}
