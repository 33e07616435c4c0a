export { manualClock, type ManualClock } from './testing/manual-clock.js';
export { recordedEvents, type RecordedEvents } from './testing/recorded-events.js';
