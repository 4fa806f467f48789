-- A count in a state is [number, grown (thousandths), seen (ms), peak, supported_at, absent, wait], shortened where its end is as usual
-- (core/quiet.py). Before, it was [number, absent, supported_at, peak, wait, grown, hours].
UPDATE subject SET state = (
    SELECT json_group_object(key, CASE key WHEN 'presence' THEN json(value) ELSE json_array(
        json_extract(value, '$[0]'),
        CAST(round(coalesce(json_extract(value, '$[5]'), 0) * 1000) AS INTEGER),
        CAST(round(coalesce(json_extract(value, '$[6]'), 0) * 3600000) AS INTEGER),
        json_extract(value, '$[3]'),
        json_extract(value, '$[2]'),
        json_extract(value, '$[1]'),
        json_extract(value, '$[4]')
    ) END)
    FROM json_each(state)
) WHERE state <> '{}';
