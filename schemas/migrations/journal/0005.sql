-- Answers that came when nobody waited for them any more (reversal specification §4.4): a start looks for the successes
-- among them that were not followed up. Few, so the index is small; the other events only pay a comparison.
CREATE INDEX journal_event_late ON journal_event (journal_id) WHERE reason GLOB 'late_response*';
