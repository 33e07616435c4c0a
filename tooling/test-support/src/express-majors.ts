import { describe } from '@jest/globals';
import express5 from 'express';
import express4 from 'express4';

export type ExpressLike = typeof express5;

/** Runs the same claims on Express 4 and Express 5. */
export function onBothExpress(suite: (express: ExpressLike, major: 4 | 5) => void): void {
  describe('Express 5', () => suite(express5, 5));
  // The types of the two majors differ in detail; the tests use what both have.
  describe('Express 4', () => suite(express4 as unknown as ExpressLike, 4));
}
