-- Adds: flows.begun, message_ids.stored_unix_nano
-- When the first span of a flow was received: if that is before the oldest span that is kept, the flow was cut.
ALTER TABLE flows ADD COLUMN IF NOT EXISTS begun Int64 AFTER received;
-- Message ids go with the spans that they lead to; 0 in rows that are older than this column.
ALTER TABLE message_ids ADD COLUMN IF NOT EXISTS stored_unix_nano UInt64;
