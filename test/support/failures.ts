import assert from 'node:assert/strict';
import { isFailure } from '#base/failure.ts';

/** For `assert.rejects` and `assert.throws`: the failure is the one that is meant. */
export function hasCode(code: string): (error: unknown) => boolean {
  return error => {
    assert.ok(isFailure(error, code), String(error));
    return true;
  };
}
