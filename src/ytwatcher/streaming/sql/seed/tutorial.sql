-- The tutorial's own statements (steps 2, 5, 7, 9 and 10), unchanged but for the chat and, where one is set, the prefix.
-- docs/streaming.md names what they get wrong; the statements in ../ksqldb do not.

CREATE STREAM ${PREFIX}yt_videos (
    video_id VARCHAR KEY,
    video_timestamp VARCHAR,
    title VARCHAR,
    description VARCHAR,
    views INTEGER,
    likes INTEGER,
    favorites INTEGER,
    comments INTEGER
) WITH (
    KAFKA_TOPIC = '${PREFIX}yt_videos',
    PARTITIONS = 1,
    VALUE_FORMAT = 'avro'
);

CREATE TABLE ${PREFIX}yt_changes WITH (
    KAFKA_TOPIC = '${PREFIX}yt_changes'
) AS
SELECT
    video_id,
    latest_by_offset(title) AS title,
    latest_by_offset(views, 2)[1] AS prev_views,
    latest_by_offset(views, 2)[2] AS curr_views,
    latest_by_offset(likes, 2)[1] AS prev_likes,
    latest_by_offset(likes, 2)[2] AS curr_likes,
    latest_by_offset(favorites, 2)[1] AS prev_favorites,
    latest_by_offset(favorites, 2)[2] AS curr_favorites,
    latest_by_offset(comments, 2)[1] AS prev_comments,
    latest_by_offset(comments, 2)[2] AS curr_comments
FROM ${PREFIX}YT_VIDEOS
GROUP BY video_id;

CREATE STREAM ${PREFIX}telegram_outbound (
    `chat_id` VARCHAR,
    `text` VARCHAR
) WITH (
    KAFKA_TOPIC = '${PREFIX}telegram_outbound',
    PARTITIONS = 1,
    VALUE_FORMAT = 'avro'
);

CREATE STREAM ${PREFIX}yt_changes_stream WITH (
    KAFKA_TOPIC = '${PREFIX}yt_changes',
    VALUE_FORMAT = 'avro'
);

INSERT INTO ${PREFIX}telegram_outbound
SELECT '${CHAT_ID}' AS `chat_id`, CONCAT('Video: ', title, ' | Likes changed: ', CAST(prev_likes AS STRING), ' -> ', CAST(curr_likes AS STRING)) AS `text`
FROM ${PREFIX}yt_changes_stream
WHERE curr_likes <> prev_likes;
