-- From readings to alerts on Flink SQL: settings, four tables, four views, and one job that writes two topics; docs/streaming.md draws the
-- flow. ${…} is filled in by `ytwatcher stream deploy`; `ytwatcher stream sql` shows the result. ${ACCESS} are a table's logins, if any.

-- One job under a fixed name; exactly once, with a checkpoint every second, which is also the latency. State outlives a cancelled job.
SET 'pipeline.name' = '${JOB}';
SET 'parallelism.default' = '${PARALLELISM}';
SET 'execution.checkpointing.interval' = '1 s';
SET 'execution.checkpointing.mode' = 'EXACTLY_ONCE';
SET 'execution.checkpointing.externalized-checkpoint-retention' = 'RETAIN_ON_CANCELLATION';
-- A worker may be away for long: try again for as long as it takes.
SET 'restart-strategy.type' = 'exponential-delay';
SET 'restart-strategy.exponential-delay.initial-backoff' = '1 s';
SET 'restart-strategy.exponential-delay.max-backoff' = '10 s';
-- What is stuck after an outage fails, and is tried again: by default a checkpoint may take ten minutes (and a write two: see below).
SET 'execution.checkpointing.timeout' = '2 min';

-- 1. Readings in the order in which they arrive (pt). Avro fields are found by their exact names, the tutorial's in upper case; an Avro int,
--    long and timestamp-millis are all read as BIGINT.
CREATE TABLE yt_readings (
  video_id STRING, TITLE STRING,
  `VIEWS` BIGINT, LIKES BIGINT, FAVORITES BIGINT, COMMENTS BIGINT,
  OBSERVED_AT BIGINT,
  PEAK_VIEWS BIGINT, PEAK_LIKES BIGINT, PEAK_FAVORITES BIGINT, PEAK_COMMENTS BIGINT,
  pt AS PROCTIME()
) WITH (
  'connector' = 'kafka', 'topic' = '${PREFIX}yt_videos', ${READINGS_FROM},
  'properties.bootstrap.servers' = '${BOOTSTRAP}', 'properties.group.id' = '${PREFIX}yt-readings-flink',
  'key.format' = 'raw', 'key.fields' = 'video_id', 'value.fields-include' = 'EXCEPT_KEY',
  'value.format' = 'avro-confluent', 'value.avro-confluent.url' = '${REGISTRY}'${ACCESS}
);

-- 2. Rules: a video's newest array counts, [] means none (a record without a value is not seen).
CREATE TABLE yt_rules (
  video_id STRING,
  RULES ARRAY<ROW<RULE_ID STRING, CHAT_ID STRING, METRIC STRING, KIND STRING, N BIGINT, SINCE BIGINT, `UNTIL` BIGINT>>,
  pt AS PROCTIME()
) WITH (
  'connector' = 'kafka', 'topic' = '${PREFIX}yt_rules', ${RULES_FROM},
  'properties.bootstrap.servers' = '${BOOTSTRAP}', 'properties.group.id' = '${PREFIX}yt-rules-flink',
  'key.format' = 'raw', 'key.fields' = 'video_id', 'value.fields-include' = 'EXCEPT_KEY',
  'value.format' = 'avro-confluent', 'value.avro-confluent.url' = '${REGISTRY}'${ACCESS}
);

-- 3. Changes: one row per reading, for people and tools. The schema is given because the registry takes no other record name than ksqlDB's.
CREATE TABLE yt_changes (
  video_id STRING, TITLE STRING,
  PREV_VIEWS BIGINT, CURR_VIEWS BIGINT, PREV_LIKES BIGINT, CURR_LIKES BIGINT,
  PREV_FAVORITES BIGINT, CURR_FAVORITES BIGINT, PREV_COMMENTS BIGINT, CURR_COMMENTS BIGINT,
  PREVIOUS_AT BIGINT, OBSERVED_AT BIGINT,
  PEAK_VIEWS BIGINT, PEAK_LIKES BIGINT, PEAK_FAVORITES BIGINT, PEAK_COMMENTS BIGINT
) WITH (
  'connector' = 'kafka', 'topic' = '${PREFIX}yt_changes',
  'properties.bootstrap.servers' = '${BOOTSTRAP}', 'properties.transaction.timeout.ms' = '600000',
  'properties.delivery.timeout.ms' = '30000', 'properties.request.timeout.ms' = '10000', 'properties.max.block.ms' = '20000',
  'key.format' = 'raw', 'key.fields' = 'video_id', 'value.fields-include' = 'EXCEPT_KEY',
  'value.format' = 'avro-confluent', 'value.avro-confluent.url' = '${REGISTRY}'${ACCESS},
  'value.avro-confluent.subject' = '${PREFIX}yt_changes-value', 'value.avro-confluent.schema' = '${CHANGES_SCHEMA}',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '${JOB}-changes'
);

-- 4. Alerts: chat_id and text as in the tutorial, the alert's values behind them. The key is the chat, so that one chat's alerts stay in order.
CREATE TABLE telegram_outbound (
  chat_id STRING, `text` STRING,
  alert_id STRING, rule_id STRING, video_id STRING, metric STRING, kind STRING,
  n BIGINT, previous BIGINT, `current` BIGINT, previous_at BIGINT, observed_at BIGINT
) WITH (
  'connector' = 'kafka', 'topic' = '${PREFIX}telegram_outbound',
  'properties.bootstrap.servers' = '${BOOTSTRAP}', 'properties.transaction.timeout.ms' = '600000',
  'properties.delivery.timeout.ms' = '30000', 'properties.request.timeout.ms' = '10000', 'properties.max.block.ms' = '20000',
  'key.format' = 'raw', 'key.fields' = 'chat_id', 'value.fields-include' = 'ALL',
  'value.format' = 'avro-confluent', 'value.avro-confluent.url' = '${REGISTRY}'${ACCESS},
  'value.avro-confluent.subject' = '${PREFIX}telegram_outbound-value', 'value.avro-confluent.schema' = '${OUTBOUND_SCHEMA}',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '${JOB}-alerts'
);

-- 5. Pairs: every reading beside the one before it. LAG keeps a NULL, so that an unknown number is not taken for the last known one.
CREATE TEMPORARY VIEW yt_pairs AS
  SELECT
    video_id, TITLE,
    LAG(`VIEWS`) OVER w AS PREV_VIEWS, `VIEWS` AS CURR_VIEWS,
    LAG(LIKES) OVER w AS PREV_LIKES, LIKES AS CURR_LIKES,
    LAG(FAVORITES) OVER w AS PREV_FAVORITES, FAVORITES AS CURR_FAVORITES,
    LAG(COMMENTS) OVER w AS PREV_COMMENTS, COMMENTS AS CURR_COMMENTS,
    LAG(OBSERVED_AT) OVER w AS PREVIOUS_AT, OBSERVED_AT,
    PEAK_VIEWS, PEAK_LIKES, PEAK_FAVORITES, PEAK_COMMENTS,
    pt
  FROM yt_readings
  WINDOW w AS (PARTITION BY video_id ORDER BY pt);

-- 6. Rules and readings in one stream, every row with the newest rules of its video. LAST_VALUE skips the NULL of a reading. (A join would
--    not keep the order of arrival, or would hold the newest reading back.)
CREATE TEMPORARY VIEW yt_ruled AS
  SELECT
    video_id, title, previous_at, observed_at, prev_of, curr_of, peak_of,
    LAST_VALUE(rules) OVER (PARTITION BY video_id ORDER BY pt ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS rules
  FROM (
    SELECT
      video_id, pt, RULES AS rules,
      CAST(NULL AS STRING) AS title, CAST(NULL AS BIGINT) AS previous_at, CAST(NULL AS BIGINT) AS observed_at,
      CAST(NULL AS MAP<STRING, BIGINT>) AS prev_of, CAST(NULL AS MAP<STRING, BIGINT>) AS curr_of, CAST(NULL AS MAP<STRING, BIGINT>) AS peak_of
    FROM yt_rules
    UNION ALL
    SELECT
      video_id, pt,
      CAST(NULL AS ARRAY<ROW<RULE_ID STRING, CHAT_ID STRING, METRIC STRING, KIND STRING, N BIGINT, SINCE BIGINT, `UNTIL` BIGINT>>),
      TITLE, PREVIOUS_AT, OBSERVED_AT,
      MAP['views', PREV_VIEWS, 'likes', PREV_LIKES, 'favorites', PREV_FAVORITES, 'comments', PREV_COMMENTS],
      MAP['views', CURR_VIEWS, 'likes', CURR_LIKES, 'favorites', CURR_FAVORITES, 'comments', CURR_COMMENTS],
      MAP['views', PEAK_VIEWS, 'likes', PEAK_LIKES, 'favorites', PEAK_FAVORITES, 'comments', PEAK_COMMENTS]
    FROM yt_pairs
  );

-- 7. Checks: one row per reading and rule in force, the rule's own metric picked out. A reading that is not newer than the one before it
--    begins a run that is sent again: it ends here.
CREATE TEMPORARY VIEW yt_checks AS
  SELECT
    video_id, title, previous_at, observed_at, rule_id, chat_id, metric, kind, n,
    prev_of[metric] AS previous, curr_of[metric] AS `current`, peak_of[metric] AS peak
  FROM yt_ruled CROSS JOIN UNNEST(rules) AS u (rule_id, chat_id, metric, kind, n, since, till)
  WHERE observed_at >= ${ALERTS_FROM}
    AND (previous_at IS NULL OR previous_at < observed_at)
    AND since <= observed_at AND (till IS NULL OR observed_at < till);

-- 8. Marks: the highest number of the rule that the current value has: the multiple of n, n itself, or the rung of the 1-2-5 ladder, made from
--    the value's digits: of texts, >= '5' and >= '2' look at the first digit.
CREATE TEMPORARY VIEW yt_marks AS
  SELECT *, CASE
      WHEN kind = 'every' AND n > 0 THEN `current` / n * n
      WHEN kind = 'reach' AND n <= `current` THEN n
      WHEN kind = 'milestones' AND `current` > 0 THEN CAST(RPAD(
        CASE WHEN CAST(`current` AS STRING) >= '5' THEN '5' WHEN CAST(`current` AS STRING) >= '2' THEN '2' ELSE '1' END,
        CHAR_LENGTH(CAST(`current` AS STRING)), '0') AS BIGINT)
    END AS mark
  FROM yt_checks;

-- 9. `change` tells when both values are known and differ, the others when the peak was below the mark; a comparison with NULL is not true.
EXECUTE STATEMENT SET BEGIN
INSERT INTO yt_changes
  SELECT
    video_id, TITLE, PREV_VIEWS, CURR_VIEWS, PREV_LIKES, CURR_LIKES, PREV_FAVORITES, CURR_FAVORITES, PREV_COMMENTS, CURR_COMMENTS,
    PREVIOUS_AT, OBSERVED_AT, PEAK_VIEWS, PEAK_LIKES, PEAK_FAVORITES, PEAK_COMMENTS
  FROM yt_pairs;
INSERT INTO telegram_outbound
  SELECT
    chat_id,
    'Video: ' || CASE WHEN title IS NULL OR title = '' THEN video_id ELSE title END || ' | ' || INITCAP(metric) || ' ' ||
      CASE kind
        WHEN 'change' THEN 'changed: ' || CAST(previous AS STRING) || ' -> '
        WHEN 'reach' THEN 'reached ' || CAST(mark AS STRING) || ': now '
        ELSE 'passed ' || CAST(mark AS STRING) || ': now '
      END || CAST(`current` AS STRING) || ' | https://youtu.be/' || video_id,
    rule_id || ':' || video_id || ':' || CAST(observed_at AS STRING),
    rule_id, video_id, metric, kind, n, previous, `current`, previous_at, observed_at
  FROM yt_marks
  WHERE (kind = 'change' AND previous <> `current`) OR (peak < mark AND n <= mark);
END;
