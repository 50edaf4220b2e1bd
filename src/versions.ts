/** Whether both name one version: npm writes 1.2.0-a3 where Python has 1.2.0a3. */
export function sameVersion(page: string, server: string): boolean {
  return !page || !server || plain(page) === plain(server);
}

function plain(version: string): string {
  return version
    .toLowerCase()
    .replace(/-?alpha\.?/, 'a')
    .replace(/-?beta\.?/, 'b')
    .replace(/-|\+.*$/g, '');
}
