/**
 * The legal transitions, to be held beside docs/dprp.md § 6. An event that has no row here changes nothing.
 */

/** § 6.1: a negotiation that was started here. */
export type InitiatorState =
  | 'detecting' /* DDE is out */
  | 'settled' /* a verdict was given without RGI; a late RGI still upgrades it */
  | 'confirming' /* MPIT is out; where something is protected, its keys are installed */
  | 'ended';

export type InitiatorEvent =
  | 'rgi' /* a valid RGI whose decision is followed */
  | 'refused' /* a valid RGI whose decision our own rules forbid */
  | 'echo'
  | 'silence'
  | 'ge-here'
  | 'cdn' /* a valid CDN */
  | 'overtaken' /* the far side's negotiation of the same pair was completed */
  | 'expired' /* MPIT was never confirmed, or a settled one's time is up */
  | 'cancelled'; /* heal, identity, eviction */

export const INITIATOR: Readonly<Record<InitiatorState, Partial<Record<InitiatorEvent, InitiatorState>>>> = {
  detecting: {
    rgi: 'confirming',
    refused: 'ended',
    echo: 'settled',
    silence: 'settled',
    'ge-here': 'settled',
    overtaken: 'ended',
    cancelled: 'ended',
  },
  settled: { rgi: 'confirming', refused: 'ended', overtaken: 'ended', expired: 'ended', cancelled: 'ended' },
  confirming: { cdn: 'ended', expired: 'ended', cancelled: 'ended' },
  ended: {},
};

/** § 11.6: a key switch that was started here. */
export type SwitchState = 'asking' /* KSW is out */ | 'ended';
export type SwitchEvent = 'answered' /* every part */ | 'expired' | 'cancelled';

export const SWITCH: Readonly<Record<SwitchState, Partial<Record<SwitchEvent, SwitchState>>>> = {
  asking: { answered: 'ended', expired: 'ended', cancelled: 'ended' },
  ended: {},
};

/** § 11.6: a key switch of the far side. */
export type FollowState = 'gathering' /* parts are missing */ | 'followed' /* kept to answer repeats */ | 'ended';
export type FollowEvent = 'complete' | 'expired' | 'cancelled';

export const FOLLOW: Readonly<Record<FollowState, Partial<Record<FollowEvent, FollowState>>>> = {
  gathering: { complete: 'followed', expired: 'ended', cancelled: 'ended' },
  followed: { expired: 'ended', cancelled: 'ended' },
  ended: {},
};

/** § 6.2: a negotiation that the far side started. */
export type ResponderState =
  | 'answered' /* RGI is out */
  | 'completed' /* CDN is out; kept to answer repeats */
  | 'ended';

export type ResponderEvent = 'mpit' /* a valid MPIT */ | 'expired' | 'cancelled';

export const RESPONDER: Readonly<Record<ResponderState, Partial<Record<ResponderEvent, ResponderState>>>> = {
  answered: { mpit: 'completed', expired: 'ended', cancelled: 'ended' },
  completed: { expired: 'ended', cancelled: 'ended' },
  ended: {},
};
