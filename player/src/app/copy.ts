/** Puts text on the clipboard. False where the browser does not allow it (pages without TLS on another machine). */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
