/** Hosts that the user's ssh configuration names. */
export { listAliases as listHostAliases } from '#ssh/host-aliases.ts';
