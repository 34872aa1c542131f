import { testInterruptions } from './interruption.ts';

testInterruptions(20, 4);
