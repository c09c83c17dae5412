/** One key for (project, session) in maps. Session ids have no space, so two pairs never share a key. */
export function sessionKey(projectId: string, sessionId: string): string {
  return `${sessionId} ${projectId}`;
}
