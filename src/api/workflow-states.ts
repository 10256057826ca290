/** The four words that users know. */
export const workflowStates = ["STOPPED", "STARTING", "RUNNING", "FAILED"] as const;
