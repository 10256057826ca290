/** Reasons for refusals that both the engine and the store act by. */

/** A record that this workflow wrote is gone from Campaign by somebody else's hand. */
export const removedInCampaign = "RemovedInCampaign";

/** A mandatory link leads to nothing that Campaign has or will have. */
export const parentMissing = "ParentMissing";

/** A record cannot be deleted for the sake of others that point at it. */
export const stillLinked = "StillLinked";
