-- One row for each address that is not free, or that a client had last.
-- Times are nanoseconds since 1970 UTC; 9223372036854775807 never comes.
CREATE TABLE lease (
    address   INTEGER PRIMARY KEY, -- as a number, in host order
    client    BLOB    NOT NULL,    -- the key by which the server knows its client
    state     INTEGER NOT NULL,    -- see the view below
    htype     INTEGER NOT NULL,
    chaddr    BLOB    NOT NULL,
    client_id BLOB,
    host_name TEXT,
    since     INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    horizon   INTEGER NOT NULL,
    relay_info BLOB                -- option 82, as the lease was last asked for
) STRICT;

-- The one anchor of the server's clocks.
CREATE TABLE anchor (
    id        INTEGER PRIMARY KEY CHECK (id = 0),
    boot_id   TEXT    NOT NULL,
    offset_ns INTEGER NOT NULL,
    drift_ns  INTEGER NOT NULL,
    seen      INTEGER NOT NULL
) STRICT;

-- One row for each time that an address was a client's and is no longer; what is still so is above. Times as the wall
-- clock had them then.
CREATE TABLE past (
    id        INTEGER PRIMARY KEY, -- in the order in which they were written
    address   INTEGER NOT NULL,
    client    BLOB    NOT NULL,
    htype     INTEGER NOT NULL,
    chaddr    BLOB    NOT NULL,
    client_id BLOB,
    host_name TEXT,
    relay_info BLOB,
    since     INTEGER NOT NULL,
    until     INTEGER NOT NULL
) STRICT;

CREATE INDEX past_of_address ON past (address, until);

-- For people: sqlite3 leases.db 'SELECT * FROM leases'
CREATE VIEW leases AS
SELECT
    format('%d.%d.%d.%d', address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255) AS address,
    CASE state
        WHEN 1 THEN 'bound'
        WHEN 2 THEN 'deleted'
        WHEN 3 THEN 'revoked'
        WHEN 4 THEN 'quarantined'
        WHEN 5 THEN 'former'
    END AS state,
    lower(hex(chaddr)) AS hardware,
    lower(hex(client_id)) AS client_id,
    host_name,
    lower(hex(relay_info)) AS relay_info,
    datetime(since / 1000000000, 'unixepoch') AS since,
    CASE expires WHEN 9223372036854775807 THEN 'infinite' ELSE datetime(expires / 1000000000, 'unixepoch') END AS expires,
    CASE horizon WHEN 9223372036854775807 THEN 'infinite' ELSE datetime(horizon / 1000000000, 'unixepoch') END AS horizon
FROM lease;

-- And SELECT * FROM history WHERE address = '10.0.0.5'
CREATE VIEW history AS
SELECT
    format('%d.%d.%d.%d', address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255) AS address,
    lower(hex(chaddr)) AS hardware,
    lower(hex(client_id)) AS client_id,
    host_name,
    lower(hex(relay_info)) AS relay_info,
    datetime(since / 1000000000, 'unixepoch') AS since,
    datetime(until / 1000000000, 'unixepoch') AS until
FROM past
UNION ALL
SELECT address, hardware, client_id, host_name, relay_info, since, NULL
FROM leases
WHERE state IN ('bound', 'deleted', 'revoked');
