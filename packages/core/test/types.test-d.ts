// Compiled by `tsc -b`, not run: what users of the types rely on.
import express from 'express';
import express4 from 'express4';
import { ALLOW, guard, type Principal, type AnonymousPrincipal } from '../src/index.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const claim = <_Claim extends true>(): void => undefined;

const guarded = guard('guarded', { stage: 'authorize' }, () => ALLOW);

// A guard between path and handler leaves the handler the parameters of its path, typed.
express().get('/books/:id', guarded, (req) => {
  claim<Same<typeof req.params.id, string>>();
  // @ts-expect-error -- there is no such parameter in the path
  void req.params.isbn;
  claim<Same<typeof req.security.principal, Principal | AnonymousPrincipal>>();
});
express4().get('/books/:id', guarded, (req) => {
  claim<Same<typeof req.params.id, string>>();
  claim<Same<typeof req.security.requestId, string>>();
});
