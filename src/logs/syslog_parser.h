// Messages of syslog, RFC 3164 (as it is met, BSD) and RFC 5424, with or without their priority.
#pragma once

#include <string_view>

#include "logs/read_record.h"
#include "otlp/wire_writer.h"

namespace limpet {

/// Reads one message: a datagram, a frame, or a line of a file. Fills time, severity, severity_text, body
/// (MSG, without the BOM), and appends to `attributes`, under LogRecord's field, what is there of
///
///   syslog.facility (int)   syslog.version (int)    host.name     service.name (APP-NAME, tag)
///   syslog.procid           syslog.msgid            syslog.ID.PARAM for each parameter of structured
///   data, but client.address for origin.ip and service.version for origin.swVersion.
///
/// BSD: "<34>Oct 11 22:14:15 mymachine su[42]: text". The time may be one of RFC 3339 (rsyslog, syslog-ng),
/// and the host may be missing (/dev/log).
/// now: for the year that BSD's times lack.
///
/// Newlines and NULs at the end of the message are taken off.
///
/// record.attributes is then all that `attributes` holds; uid and `truncated` stay as they are.
/// kInvalid: nothing of it is syslog; kFull: its attributes do not fit. `record` then has the whole
/// message as its body, and no attributes are written.
Status ParseSyslog(std::string_view message, UnixTime now, WireWriter& attributes, ReadRecord& record);

}  // namespace limpet
