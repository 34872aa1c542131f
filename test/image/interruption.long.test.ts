import { testInterruptions } from './interruption.ts';

testInterruptions(200, 50);
