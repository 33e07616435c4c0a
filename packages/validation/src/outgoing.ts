export { outgoing, type Outgoing, type OutgoingOptions } from './outgoing/outgoing.js';
export type { Resolve } from './outgoing/agents.js';
export type { OutgoingAnswer, OutgoingRequest } from './outgoing/follow.js';
export type { SecurityContext } from '@portcullis/core';
