-- Adds: spans.attribute_shape, spans.attribute_text, spans.attribute_parts, spans.attributes, proofs.attribute_shape, proofs.attribute_text
-- Attributes as attribute_words.py writes them: two texts instead of three lists, which stay empty. Rows that are older
-- have the lists, of which the engine makes the text when it reads them, and when it merges them.
ALTER TABLE spans ADD COLUMN IF NOT EXISTS attribute_shape LowCardinality(String) AFTER attribute_values;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS attribute_text String DEFAULT concat(arrayStringConcat(arrayMap(t -> toString(t), attribute_types)), char(31), arrayStringConcat(arrayMap(k -> replaceAll(replaceAll(toString(k), char(30), concat(char(30), 'r')), char(31), concat(char(30), 'u')), attribute_keys), char(31)), char(31), arrayStringConcat(arrayMap(v -> replaceAll(replaceAll(v, char(30), concat(char(30), 'r')), char(31), concat(char(30), 'u')), attribute_values), char(31))) CODEC(ZSTD(1)) AFTER attribute_shape;
-- For whoever asks in SQL: attributes['order.id'].
ALTER TABLE spans ADD COLUMN IF NOT EXISTS attribute_parts Array(String) ALIAS splitByChar(char(31), if(attribute_shape = '', attribute_text, concat(attribute_shape, char(31), attribute_text))) AFTER attribute_text;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS attributes Map(String, String) ALIAS mapFromArrays(arrayMap(k -> replaceAll(replaceAll(k, concat(char(30), 'u'), char(31)), concat(char(30), 'r'), char(30)), arraySlice(attribute_parts, 2, length(attribute_parts[1]))), arrayMap(v -> replaceAll(replaceAll(v, concat(char(30), 'u'), char(31)), concat(char(30), 'r'), char(30)), arraySlice(attribute_parts, 2 + length(attribute_parts[1]), length(attribute_parts[1])))) AFTER attribute_parts;
ALTER TABLE proofs ADD COLUMN IF NOT EXISTS attribute_shape LowCardinality(String) AFTER attribute_values;
ALTER TABLE proofs ADD COLUMN IF NOT EXISTS attribute_text String CODEC(ZSTD(1)) AFTER attribute_shape;
