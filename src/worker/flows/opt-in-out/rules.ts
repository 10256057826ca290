/**
 * The rules by which an opt-out is decided. Their names stand in the audit: they may be added to, never renamed.
 *
 * Adobe's rule (AdobeDocs/campaign-standard.en, integrating/using/d365-acs-notices-and-recommendations.md, "Opt-out"):
 * "The logic compares timestamps between the two systems (record-level change in Dynamics 365, attribute-level change in
 * Campaign) to determine which system prevails. If Campaign contains the more recent timestamp, then the Campaign value
 * prevails. If Dynamics 365 contains the more recent timestamp or if they are equal, then opt-out=TRUE will win (assuming
 * one of the values is TRUE)."
 *
 * So the rule alone lets FALSE win only where Campaign's is later. Here it must also be a change since the last agreed
 * value. Without that, the time of a FALSE that was there all along beats an opt-out in Dynamics that is older than it.
 */
export const rules = {
  Disabled: "The direction is Disabled: nothing is moved.",
  ContactMissing: "Dynamics has no such contact: there is nothing to keep alike.",
  ProfileMissing: "Campaign has no profile for the contact. None is made; an opt-out waits until there is one.",
  Unchanged: "The value is the one that was agreed last.",
  Same: "Both systems say the same.",
  NoAgreedValue: "Nothing was agreed before: opted out wins.",
  NoValue: "The system that would decide has no value: nobody is opted in by that.",
  OptedOutInDynamics: "Dynamics changed to opted out since the last agreed value, and Campaign did not change.",
  OptedOutInCampaign: "Campaign changed to opted out since the last agreed value, and Dynamics did not change.",
  OptedOutWins: "Dynamics says opted in and Campaign opted out: opted out wins.",
  CampaignLater:
    "Campaign changed to opted in since the last agreed value, later than Dynamics' record: Campaign prevails.",
  DynamicsLaterOrEqual: "Campaign changed to opted in, but Dynamics' record is as late or later: opted out wins.",
  NoAttributeTime: "Campaign changed to opted in, and it is not known when: opted out wins.",
  Unanswered: "It is not known what became of the last write: what the system that decides says goes once more.",
  SourceChanged: "The system that decides changed since its last value went over.",
} as const;

export type Rule = keyof typeof rules;
