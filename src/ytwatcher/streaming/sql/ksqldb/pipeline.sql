-- From readings to alerts on ksqlDB. Seven statements, three of them queries that go on for ever; docs/streaming.md draws the flow.
-- ${PREFIX}, ${PARTITIONS}, ${ALERTS_FROM} and ${VERSION} are filled in by `ytwatcher stream deploy`; `ytwatcher stream sql` shows the result.
-- A line `-- @props {…}` gives the next statement's streamsProperties.

-- 1. Readings: the tutorial's topic, its counts as BIGINT (an Avro int is widened), then when they were read and the peaks before them.
CREATE STREAM IF NOT EXISTS ${PREFIX}yt_readings (
    video_id VARCHAR KEY,
    title VARCHAR,
    views BIGINT, likes BIGINT, favorites BIGINT, comments BIGINT,
    observed_at TIMESTAMP,
    peak_views BIGINT, peak_likes BIGINT, peak_favorites BIGINT, peak_comments BIGINT
  ) WITH (KAFKA_TOPIC='${PREFIX}yt_videos', VALUE_FORMAT='AVRO', PARTITIONS=${PARTITIONS});

-- 2. Rules: all rules of a video are one array under its id, because a stream is joined with a table by the table's key.
CREATE TABLE IF NOT EXISTS ${PREFIX}yt_rules (
    video_id VARCHAR PRIMARY KEY,
    rules ARRAY<STRUCT<rule_id VARCHAR, chat_id VARCHAR, metric VARCHAR, kind VARCHAR, n BIGINT, since BIGINT, until BIGINT>>
  ) WITH (KAFKA_TOPIC='${PREFIX}yt_rules', VALUE_FORMAT='AVRO', PARTITIONS=${PARTITIONS});

-- 3. Alerts: chat_id and text as in the tutorial, the alert's values behind them. The key is the chat, so that one chat's alerts stay in order.
CREATE STREAM IF NOT EXISTS ${PREFIX}telegram_alerts (
    chat VARCHAR KEY,
    `chat_id` VARCHAR, `text` VARCHAR,
    `alert_id` VARCHAR, `rule_id` VARCHAR, `video_id` VARCHAR, `metric` VARCHAR, `kind` VARCHAR,
    `n` BIGINT, `previous` BIGINT, `current` BIGINT, `previous_at` BIGINT, `observed_at` BIGINT
  ) WITH (KAFKA_TOPIC='${PREFIX}telegram_outbound', VALUE_FORMAT='AVRO', PARTITIONS=${PARTITIONS});

-- 4. Changes: the two latest readings of each video. [-1] is the newest and [-2] the one before it or NULL; `false` lets a NULL count as a
--    value, so that an unknown number is not taken for the last known one. Without a cache every reading makes a row.
-- @props {"auto.offset.reset": "earliest", "cache.max.bytes.buffering": "0", "processing.guarantee": "exactly_once_v2", "commit.interval.ms": "100"}
CREATE TABLE IF NOT EXISTS ${PREFIX}yt_changes WITH (KAFKA_TOPIC='${PREFIX}yt_changes', VALUE_FORMAT='AVRO', PARTITIONS=${PARTITIONS}) AS
  SELECT
    video_id,
    LATEST_BY_OFFSET(title) AS title,
    LATEST_BY_OFFSET(views, 2, false)[-2] AS prev_views,
    LATEST_BY_OFFSET(views, 2, false)[-1] AS curr_views,
    LATEST_BY_OFFSET(likes, 2, false)[-2] AS prev_likes,
    LATEST_BY_OFFSET(likes, 2, false)[-1] AS curr_likes,
    LATEST_BY_OFFSET(favorites, 2, false)[-2] AS prev_favorites,
    LATEST_BY_OFFSET(favorites, 2, false)[-1] AS curr_favorites,
    LATEST_BY_OFFSET(comments, 2, false)[-2] AS prev_comments,
    LATEST_BY_OFFSET(comments, 2, false)[-1] AS curr_comments,
    UNIX_TIMESTAMP(LATEST_BY_OFFSET(observed_at, 2, false)[-2]) AS previous_at,
    UNIX_TIMESTAMP(LATEST_BY_OFFSET(observed_at, 2, false)[-1]) AS observed_at,
    LATEST_BY_OFFSET(peak_views, false) AS peak_views,
    LATEST_BY_OFFSET(peak_likes, false) AS peak_likes,
    LATEST_BY_OFFSET(peak_favorites, false) AS peak_favorites,
    LATEST_BY_OFFSET(peak_comments, false) AS peak_comments
  FROM ${PREFIX}yt_readings
  GROUP BY video_id
  EMIT CHANGES;

-- 5. The changes once more as a stream, for only a stream can be joined with the rules; its columns come from the Schema Registry.
CREATE STREAM IF NOT EXISTS ${PREFIX}yt_changes_stream (video_id VARCHAR KEY) WITH (KAFKA_TOPIC='${PREFIX}yt_changes', VALUE_FORMAT='AVRO');

-- 6. Checks: one row per reading and rule in force, the rule's own metric picked out (an exploded rule can be compared in the next statement
--    only). A reading that is not newer than the one before it begins a run that is sent again: it ends here. The rung is the number of the
--    1-2-5 ladder at or below the current value, made from its digits: of texts, >= '5' and >= '2' look at the first digit. It is 0, not
--    NULL, where there is none: a lambda over a map that gives NULL fails and loses the rungs of all four metrics.
-- @props {"auto.offset.reset": "earliest", "cache.max.bytes.buffering": "0", "processing.guarantee": "exactly_once_v2", "commit.interval.ms": "100"}
CREATE STREAM IF NOT EXISTS ${PREFIX}yt_checks WITH (KAFKA_TOPIC='${PREFIX}yt_checks', VALUE_FORMAT='AVRO', PARTITIONS=${PARTITIONS}) AS
  SELECT
    c.video_id AS vid,
    AS_VALUE(c.video_id) AS video_id,
    c.title AS title,
    c.previous_at AS previous_at,
    c.observed_at AS observed_at,
    EXPLODE(TRANSFORM(
      FILTER(r.rules, u => u->since <= c.observed_at AND (u->until IS NULL OR c.observed_at < u->until)),
      u => STRUCT(
        rule_id := u->rule_id,
        chat_id := u->chat_id,
        metric := u->metric,
        kind := u->kind,
        n := u->n,
        previous := MAP('views' := c.prev_views, 'likes' := c.prev_likes,
                        'favorites' := c.prev_favorites, 'comments' := c.prev_comments)[u->metric],
        current := MAP('views' := c.curr_views, 'likes' := c.curr_likes,
                       'favorites' := c.curr_favorites, 'comments' := c.curr_comments)[u->metric],
        peak := MAP('views' := c.peak_views, 'likes' := c.peak_likes,
                    'favorites' := c.peak_favorites, 'comments' := c.peak_comments)[u->metric],
        rung := TRANSFORM(
          MAP('views' := c.curr_views, 'likes' := c.curr_likes, 'favorites' := c.curr_favorites, 'comments' := c.curr_comments),
          (m, x) => m,
          (m, x) => CASE
            WHEN x > 0 THEN CAST(RPAD(
              CASE WHEN CAST(x AS STRING) >= '5' THEN '5' WHEN CAST(x AS STRING) >= '2' THEN '2' ELSE '1' END,
              LEN(CAST(x AS STRING)), '0') AS BIGINT)
            ELSE CAST(0 AS BIGINT)
          END)[u->metric]
      ))) AS rule
  FROM ${PREFIX}yt_changes_stream c JOIN ${PREFIX}yt_rules r ON c.video_id = r.video_id
  WHERE c.previous_at IS NULL OR c.previous_at < c.observed_at
  EMIT CHANGES;

-- 7. Alerts: `change` tells when both values are known and differ; the others when the peak was below a mark (a multiple of n, n itself, a
--    rung) that the current value has. A comparison with NULL is false, arithmetic on it is an error: so the tests for NULL and 0 come first.
-- @props {"auto.offset.reset": "earliest", "cache.max.bytes.buffering": "0", "processing.guarantee": "exactly_once_v2", "commit.interval.ms": "100"}
INSERT INTO ${PREFIX}telegram_alerts WITH (QUERY_ID='${PREFIX}yt_alerts_v${VERSION}')
  SELECT
    rule->chat_id AS chat,
    AS_VALUE(rule->chat_id) AS `chat_id`,
    CONCAT(
      'Video: ', CASE WHEN title IS NULL OR title = '' THEN video_id ELSE title END, ' | ', INITCAP(rule->metric), ' ',
      CASE
        WHEN rule->kind = 'change' THEN CONCAT('changed: ', CAST(rule->previous AS STRING), ' -> ')
        WHEN rule->kind = 'every' THEN CONCAT('passed ', CAST(rule->current / rule->n * rule->n AS STRING), ': now ')
        WHEN rule->kind = 'reach' THEN CONCAT('reached ', CAST(rule->n AS STRING), ': now ')
        ELSE CONCAT('passed ', CAST(rule->rung AS STRING), ': now ')
      END,
      CAST(rule->current AS STRING), ' | https://youtu.be/', video_id) AS `text`,
    CONCAT(rule->rule_id, ':', video_id, ':', CAST(observed_at AS STRING)) AS `alert_id`,
    rule->rule_id AS `rule_id`,
    video_id AS `video_id`,
    rule->metric AS `metric`,
    rule->kind AS `kind`,
    rule->n AS `n`,
    rule->previous AS `previous`,
    rule->current AS `current`,
    previous_at AS `previous_at`,
    observed_at AS `observed_at`
  FROM ${PREFIX}yt_checks
  WHERE observed_at >= ${ALERTS_FROM} AND rule->current IS NOT NULL AND (
    (rule->kind = 'change' AND rule->previous <> rule->current)
    OR (rule->kind = 'every' AND rule->n > 0 AND rule->peak < rule->current / rule->n * rule->n)
    OR (rule->kind = 'reach' AND rule->peak < rule->n AND rule->n <= rule->current)
    OR (rule->kind = 'milestones' AND rule->peak < rule->rung AND rule->n <= rule->rung))
  PARTITION BY rule->chat_id
  EMIT CHANGES;
