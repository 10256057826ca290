import type { DeadLettersAnswer, RecordsAnswer, RedriveAnswer, RedriveQuestion } from "./answers.ts";
import type { DeadLettersQuestion, RecordQuestion } from "./asked.ts";

/**
 * Answers what becomes of single records, and takes refused ones up again. Keys come in and never go out.
 * Each throws AskedWronglyError, and StoreOutage.
 */
export interface RecordDesk {
  /** Of every mapping, or of one. */
  fates(question: RecordQuestion): Promise<RecordsAnswer>;
  deadLetters(question: DeadLettersQuestion): Promise<DeadLettersAnswer>;
  redrive(question: RedriveQuestion): Promise<RedriveAnswer>;
}
