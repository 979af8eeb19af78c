//! The subject of an error text, by the phrases that servers use.
//!
//! Sources: InfluxDB 1.6.7 and InfluxDB 3 Core 3.6, asked; the sources of InfluxDB 1.8 to 1.12, 2.7,
//! 2.9 and 3.10, VictoriaMetrics 1.79 and 1.150, QuestDB, GreptimeDB, Telegraf, openGemini and
//! TDengine's adapter; the documentation of InfluxDB Cloud.

use crate::printable::{head, tail};

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The request is larger than the server accepts.
    Size,
    /// The server's own fault: its disk, caches, other nodes.
    Server,
    /// The request: path, credentials, parameters, encoding.
    Request,
    /// The database; only a person can change that.
    Database,
    /// The database doesn't exist.
    MissingDatabase,
    /// The content of lines.
    Lines,
}

/// Number of bytes that are searched at the start and at the end of a long text.
const MAX_SEARCHED: usize = 2 << 10;

use Subject::{Database, Lines, MissingDatabase, Request, Server, Size};

/// The subject of an error whose [unquoted text](super::normalize::unquoted) contains one of the
/// phrases below; the first one wins.
pub(super) fn subject(unquoted: &str) -> Option<Subject> {
    // The subject is at the start, or at the end after a list.
    let (head, tail) = (head(unquoted, MAX_SEARCHED), tail(unquoted, MAX_SEARCHED));
    let stands = |(phrase, _): &&(&str, Subject)| head.contains(phrase) || tail.contains(phrase);
    PHRASES.iter().find(stands).map(|(_, subject)| *subject)
}

/// In lower case, without quoted names. Order matters: points that were dropped because the disk is
/// full are good.
const PHRASES: &[(&str, Subject)] = &[
    // Size: InfluxDB 1.x, 2.x and Cloud, InfluxDB 3, Telegraf, VictoriaMetrics, QuestDB; proxies.
    ("request entity too large", Size),
    ("content too large", Size),
    ("payload too large", Size),
    ("batch is too large", Size),
    ("points in batch is too large", Size),
    ("max request size", Size),
    ("request body too large", Size),
    ("request body is too large", Size),
    ("body exceeds", Size),
    ("too big data size exceeding", Size),
    ("line does not fit questdb ilp buffer", Size),
    // Disks.
    ("no space left", Server),
    ("disk quota", Server),
    ("disk full", Server),
    ("disk is full", Server),
    ("input/output error", Server),
    ("i/o error", Server),
    ("read-only", Server),
    ("read only", Server),
    ("readonly", Server),
    ("too many open files", Server),
    ("cannot allocate memory", Server),
    ("out of memory", Server),
    ("memory limit", Server),
    // InfluxDB 1.x and 2.x.
    ("cache-max-memory-size", Server),
    ("cache maximum memory size", Server),
    ("wal entry", Server),
    ("wal segment", Server),
    ("timeout", Server),
    ("timed out", Server),
    ("write failed", Server),
    ("is closed", Server),
    ("pending deletion", Server),
    ("shutting down", Server),
    ("request throttled", Server),
    // QuestDB reports these faults as those of a line.
    ("write error:", Server),
    ("commit error", Server),
    ("errno:", Server),
    ("queue is full", Server),
    ("queue full", Server),
    ("hinted handoff", Server),
    ("consistency level not", Server),
    ("not enough replicas", Server),
    ("insufficient replicas", Server),
    ("unable to reach", Server),
    ("connection refused", Server),
    ("connection reset", Server),
    ("deadline exceeded", Server),
    ("temporarily", Server),
    ("try again", Server),
    ("unavailable", Server),
    ("overloaded", Server),
    ("too many requests", Server),
    ("too many concurrent", Server),
    // VictoriaMetrics: the body did not arrive as it should.
    ("cannot read a block of data", Server),
    // InfluxDB 3: also sent with status 400 by its v2 API.
    ("error from wal", Server),
    ("wal buffer", Server),
    ("wal is shutdown", Server),
    ("error writing wal", Server),
    ("error from persister", Server),
    ("object store", Server),
    ("write buffer error: error", Server),
    // GreptimeDB, openGemini.
    ("region is", Server),
    ("regionreadonly", Server),
    ("region not ready", Server),
    // Databases, before requests: both mention names.
    ("database not found", MissingDatabase),
    ("retention policy not found", Database),
    ("bucket not found", Database),
    ("bucket  not found", Database),
    ("no dbrp mapping", Database),
    ("dbrp mapping not found", Database),
    ("failed to find database", Database),
    ("failed to find schema", Database),
    ("schema not found", Database),
    ("database name", Database),
    ("db name", Database),
    ("bucket name", Database),
    ("in database or rp name", Database),
    ("soft-deleted", Database),
    ("adding a new database would exceed", Database),
    ("not authorized to write to database", Database),
    ("insufficient permissions", Database),
    // InfluxDB 3's retention limit: of the table or the database.
    ("marked for deletion", Database),
    // Requests: parameters.
    ("database is required", Request),
    ("missing db", Request),
    ("db required", Request),
    ("missing query parameter", Request),
    ("missing bucket value", Request),
    ("serde error", Request),
    ("failed to deserialize", Request),
    ("invalid precision", Request),
    ("unsupported precision", Request),
    ("time precision", Request),
    ("invalid consistency level", Request),
    ("provide either orgid or org", Request),
    ("organization", Request),
    ("must be numeric", Request),
    ("unsupported method", Request),
    ("compactor-only", Request),
    ("columns per table", Lines),
    ("number of tables limit", Lines),
    ("catalog update error", Server),
    // Credentials.
    ("authorization header", Request),
    ("authentication", Request),
    ("authenticated", Request),
    ("bearer auth", Request),
    ("authorization failed", Request),
    ("unauthorized", Request),
    ("unauthorised", Request),
    ("username required", Request),
    ("invalid token", Request),
    ("permission", Request),
    ("forbidden", Request),
    ("disable write", Server),
    // Paths and protocols.
    ("unsupported path", Request),
    ("path not found", Request),
    ("page not found", Request),
    ("no route", Request),
    ("method not allowed", Request),
    ("http request to an https server", Request),
    ("http request was sent to https port", Request),
    ("host header", Request),
    ("http version", Request),
    ("header too large", Request),
    ("header or cookie too large", Request),
    ("header fields too large", Request),
    ("uri too long", Request),
    ("400 bad request", Request),
    // Encodings.
    ("content-encoding", Request),
    ("content encoding", Request),
    ("contenttype", Request),
    ("content-type", Request),
    ("content type", Request),
    ("gzip", Request),
    ("unexpected eof", Request),
    ("unsupported encoding", Request),
    ("not valid utf8", Request),
    ("incoming write was empty", Request),
    ("empty body", Request),
    // Lines: InfluxDB 1.x and 2.x.
    ("unable to parse", Lines),
    ("field type conflict", Lines),
    ("beyond retention policy", Lines),
    ("outside retention policy", Lines),
    ("outside write window", Lines),
    ("invalid tag key", Lines),
    ("invalid field name", Lines),
    ("input field", Lines),
    ("input tag", Lines),
    ("max key length exceeded", Lines),
    ("max-values-per-tag", Lines),
    ("max-series-per-database", Lines),
    ("reserved tag key", Lines),
    ("bad timestamp", Lines),
    ("missing fields", Lines),
    ("missing measurement", Lines),
    ("missing tag", Lines),
    ("missing field", Lines),
    ("invalid field format", Lines),
    ("invalid tag format", Lines),
    ("invalid number", Lines),
    ("invalid boolean", Lines),
    ("unbalanced quotes", Lines),
    ("duplicate tags", Lines),
    ("time outside range", Lines),
    // InfluxDB 3 and Cloud.
    ("partial write of line protocol", Lines),
    ("line protocol pars", Lines),
    ("line protocol failed", Lines),
    ("write_lp endpoint", Lines),
    ("invalid line protocol", Lines),
    ("parse line protocol", Lines),
    ("parsing line", Lines),
    ("invalid column type", Lines),
    ("is a reserved column", Lines),
    ("string is greater than", Lines),
    ("create columns in table", Lines),
    ("service limit reached", Lines),
    ("outside of the retention period", Lines),
    // VictoriaMetrics.
    ("influx line", Lines),
    ("for quoted field value", Lines),
    // QuestDB, GreptimeDB, Telegraf.
    ("error in line", Lines),
    ("cast error", Lines),
    ("parse influxdb line protocol", Lines),
    ("incompatible schema", Lines),
    ("metric parse error", Lines),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::verdict::normalize::unquoted;

    fn of(text: &str) -> Option<Subject> {
        subject(&unquoted(text))
    }

    #[test]
    fn it_stands_at_the_start_or_the_end_of_a_long_text() {
        let filler = "words ".repeat(MAX_SEARCHED);
        let phrase = "unable to parse";
        assert_eq!(of(&format!("{phrase} {filler}")), Some(Lines));
        assert_eq!(of(&format!("{filler} {phrase}")), Some(Lines));
        assert_eq!(of(&format!("{filler} {phrase} {filler}")), None);
    }

    #[test]
    fn each_text_that_a_server_is_known_to_answer_is_about_what_it_is_about() {
        let texts: &[(Subject, &[&str])] = &[
            (
                Size,
                &[
                    "Request Entity Too Large",
                    "max request size (10485760 bytes) exceeded",
                    "too big data size exceeding -influx.maxRequestSize=67108864 bytes",
                    "http: request body too large",
                    "unable to read data: points batch is too large",
                    "cannot read data: points in batch is too large",
                    "unable to read data: ILP line does not fit QuestDB ILP buffer size",
                ],
            ),
            (
                Server,
                &[
                    "partial write: write /var/lib/influxdb/wal/x: no space left on device dropped=3",
                    "engine: cache-max-memory-size exceeded: (1073743900/1073741824)",
                    "engine: error writing WAL entry: short write",
                    "engine: error rolling WAL segment: x",
                    "unexpected error writing points to database: timeout",
                    "[shard 7] timeout",
                    "write failed",
                    "engine is closed",
                    "store is closed",
                    "partial write: shard 7 is pending deletion dropped=7",
                    "write buffer error: error from wal: wal buffer full with 100 ops",
                    "write buffer error: error from persister: x",
                    "write buffer error: catalog update error: object store: x",
                    "readonly now and writing is not allowed",
                    "cannot store metrics: the storage is in read-only mode; check -storage.x",
                    "cannot read influx line protocol data: cannot read a block of data in 30.000s: context canceled",
                    "cannot process insert request for 60.000 seconds because of too many concurrent inserts",
                    "hinted handoff queue not empty",
                    "Request body memory limit exceeded: 1",
                    "failed to parse line protocol:errors encountered on line(s):write error: m1, errno: 2, error: could not open read-write",
                    "commit error for table: permissions",
                ],
            ),
            (
                Request,
                &[
                    "database is required",
                    "invalid precision \"x\" (use n, u, ms, s, m or h)",
                    "invalid precision; valid precision units are ns, us, ms, and s",
                    "invalid consistency level",
                    "bearer auth disabled",
                    "Please provide either orgID or org",
                    "organization name \"x\" not found",
                    "missing db",
                    "missing query parameter 'db'",
                    "serde error: missing field `db`",
                    "serde error: unknown variant `x`, expected one of `a`, `b`",
                    "failed to deserialize db/rp/precision in request: x",
                    "missing bucket value",
                    "Authorization header was malformed, expected Bearer",
                    "unable to parse authentication credentials",
                    "authorization failed",
                    "unacceptable content-encoding: br",
                    "unsupported contentType: x",
                    "error decoding gzip stream: x",
                    "gzip: invalid header",
                    "unexpected EOF",
                    "body content is not valid utf8: x",
                    "unsupported path requested: \"/x\"",
                    "remoteAddr: \"1\"; requestURI: /x; unsupported path requested: \"/x\"",
                    "incoming write was empty",
                    "write buffer error: incoming write was empty",
                    "cannot write to a compactor-only server",
                    "Client sent an HTTP request to an HTTPS server.",
                    "400 Bad Request: missing required Host header",
                    "Request Header Or Cookie Too Large",
                    "unsupported precision",
                    "Failed to convert time precision, name: x",
                    "req_id must be numeric",
                    "ttl must be numeric",
                    "gzip encoding is not supported",
                ],
            ),
            (
                Database,
                &[
                    "retention policy not found: week",
                    "bucket \"x\" not found",
                    "bucket not found",
                    "no dbrp mapping found",
                    "bucket name \"\" is missing a slash; not in \"database/retention-policy\" format",
                    "db name did not start with a number or letter",
                    "invalid character in database or rp name: must be ASCII",
                    "db name too long: max 64",
                    "database name \"x\" length must be between 1 and 511",
                    "cannot write to soft-deleted database 'x' - it is marked for deletion",
                    "Adding a new database would exceed limit of 5 databases",
                    "write buffer error: catalog update error: Adding a new database would exceed limit of 100 databases",
                    "\"bob\" user is not authorized to write to database \"x\"",
                    "insufficient permissions for write",
                ],
            ),
            (MissingDatabase, &["database not found: \"x\""]),
            (
                Lines,
                &[
                    "unable to parse 'm f=1 x': bad timestamp",
                    "partial write: unable to parse 'm f=1 x': bad timestamp dropped=0",
                    "partial write: field type conflict: input field \"f\" on measurement \"m\" is type string, already exists as type float dropped=1",
                    "failure writing points to database: partial write: field type conflict: x dropped=1",
                    "partial write: points beyond retention policy dropped=3",
                    "partial write: dropped 3 points outside retention policy of duration 1h0m0s - oldest point x, newest point y dropped=3 for database: x for retention policy: y",
                    "partial write: invalid tag key: input tag \"time\" on measurement \"m\" is invalid dropped=1",
                    "partial write: input field \"f\" on measurement \"m\" is too long, 1100000 > 1048576 dropped=1",
                    "partial write: max-values-per-tag limit exceeded (100000/100000): measurement=\"m\" tag=\"t\" value=\"v\" dropped=2",
                    "partial write: max-series-per-database limit exceeded: (1000000) dropped=2",
                    "unable to parse 'm,time=a f=1': cannot use reserved tag key \"time\"",
                    "partial write of line protocol occurred",
                    "parsing failed for write_lp endpoint",
                    "line protocol parsing error",
                    "write buffer error: line protocol parse failed: x",
                    "write buffer error: parsing for line protocol failed",
                    "invalid column type for column 'temp', expected iox::column_type::field::float, got iox::column_type::field::string",
                    "invalid line protocol - multiple instances of 'f' field found",
                    "'time' is a reserved column",
                    "String is greater than 64KB",
                    "Update to schema would exceed number of columns per table limit of 500 columns",
                    "failed to parse line protocol:\n  errors encountered on line(s):\n  error parsing line 2 (1-based): x",
                    "failed to parse line protocol:errors encountered on line(s):\nerror in line 2: table: m; column: f; cast error",
                    "dml handler error: service limit reached: couldn't create columns in table x; table contains 199",
                    "cannot process influx line protocol data: incorrect influx line \"m f\": missing field value; see https://x",
                    "remoteAddr: \"127.0.0.1:1\"; requestURI: /write?db=gzip; cannot read influx line protocol data: too long line: more than 262144 bytes",
                    "Failed to parse InfluxDB line protocol, x",
                    "metric parse error: expected field at 1:5: \"m x\" (and 1 other parse error)",
                    "data in table x is outside of the retention period",
                    "failed to parse line protocol:errors encountered on line(s):\nerror in line 2: table: permissions, column: timeout; cast error",
                    "failure writing points to database: partial write: dropped 350 points outside retention policy of duration 72h0m0s - oldest point http,endpoint=/organizations/{id},outcome=timeout at 2025 dropped because it violates x, newest point http,a=\"b at 2025 dropped=350 for database: authentication for retention policy: permissions",
                    "partial write: max-series-per-database exceeded database=d limit=1 series=2 keys=[http,endpoint=/gzip] dropped=2",
                ],
            ),
        ];
        for (subject, texts) in texts {
            for text in *texts {
                assert_eq!(of(text), Some(*subject), "{text}");
            }
        }
    }

    #[test]
    fn what_names_no_fault_is_about_nothing_known() {
        for text in [
            "",
            "partial write",
            "it is all bad",
            "An internal error has occurred",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn no_phrase_stands_in_names_or_values() {
        for text in [
            "input field \"no space left\" on measurement \"timeout\" is type string",
            "unable to parse 'm f=\"': read-only\" x': bad timestamp",
            "invalid column type for column 'gzip precision', expected x",
        ] {
            assert_eq!(of(text), Some(Lines), "{text}");
        }
    }
}
