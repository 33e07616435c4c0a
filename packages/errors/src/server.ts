export type { SecurityContext } from '@portcullis/core';
