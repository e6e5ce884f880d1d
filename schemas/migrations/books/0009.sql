-- What a node changed by itself, on its way to the audit trail (reconciliation §6.6): written with the change, in its
-- transaction; taken away once the trail has it. was, became: machine words; what: what it is about; who: party or
-- person. The numbers are never used again, so that a row told twice can be seen to be one.
CREATE TABLE trail_entry (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  was TEXT NOT NULL,
  became TEXT NOT NULL,
  what TEXT NOT NULL,
  who TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

-- A ledger of a party, handed in or fetched; what a node derives by itself is told by its run.
CREATE TRIGGER input_told AFTER INSERT ON input
WHEN NEW.source IN ('handed_in', 'MISFIT') OR NEW.source LIKE 'province:%' BEGIN
  INSERT INTO trail_entry (action, subject, was, became, what, who, at_ms) VALUES (
    'books.hand_in', 'input:' || NEW.id, '',
    NEW.ledger || ' ' || NEW.scope || ' ' || NEW.biz_date || ' rows ' || NEW.rows || ' complete ' || NEW.complete || ' sm3 ' || NEW.sm3,
    NEW.ledger || ' ' || NEW.scope || ' ' || NEW.biz_date, NEW.who, NEW.at_ms);
END;

-- What left the house or came to its end; what was planned and vanished before is told by its run.
CREATE TRIGGER action_told AFTER UPDATE OF state ON action
WHEN OLD.state <> NEW.state AND NEW.state <> 'PLANNED' AND NEW.receipt <> 'vanished' BEGIN
  INSERT INTO trail_entry (action, subject, was, became, what, who, at_ms) VALUES (
    'books.action', 'action:' || NEW.action_id, OLD.state, NEW.state || ' ' || NEW.receipt, NEW.kind, NEW.party,
    NEW.changed_ms);
END;

CREATE TRIGGER clearing_told AFTER INSERT ON clearing_event WHEN NEW.before <> NEW.after OR NEW.input = 'cleared' BEGIN
  INSERT INTO trail_entry (action, subject, was, became, what, who, at_ms) VALUES (
    'books.clearing', 'clearing:' || NEW.clearing, NEW.before, NEW.after, NEW.input, NEW.who, NEW.at_ms);
END;
