"""Random OTLP requests with everything that the messages can hold, and OTLP JSON of them.

    rng = random.Random(seed)
    message = otlp_random.request(rng, "logs")          # an ExportLogsServiceRequest
    body = otlp_random.to_json(message)                 # plain: as SDKs write it
    body = otlp_random.to_json(message, rng)            # the same request as odd as the rules allow
    body = message.SerializeToString()
    assert otlp_random.same(message, other)             # equal message to message, NaN to NaN

Messages are filled along the official descriptors, so that a field that OTLP gains is there at once:
each field now and then, each member of a oneof, zeros where zero is not the same as nothing, empty
messages, the ends of every range, NaN and infinities, texts of every kind of character and at the
lengths where a length takes another byte, values nested as deep as limpet takes them. `reachable()`
names all that there is to be seen and `seen()` what a message has, for a test that wants to be sure
that a run had all of it.
"""

import base64
import json
import math
import struct

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor as Field
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

REQUESTS = {
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
    "traces": trace_service_pb2.ExportTraceServiceRequest,
}

# What limpet knows of and leaves out on purpose: fields that only profiles use.
LEFT_OUT = {"KeyValue.key_strindex", "AnyValue.string_value_strindex"}

DEPTH_MAX = 64  # kWireDepthMax: messages inside messages, the request counted.

SIGNED = {Field.TYPE_INT64, Field.TYPE_SFIXED64, Field.TYPE_SINT64}
UNSIGNED = {Field.TYPE_UINT64, Field.TYPE_FIXED64}
EDGES = {
    Field.TYPE_BOOL: [False, True],
    Field.TYPE_DOUBLE: [0.0, -0.0, 1.0, 1.5, -1e300, 5e-324, 1.7976931348623157e308, 2.0**53 + 2, 1e21,
                        0.1, math.nan, math.inf, -math.inf],
    **dict.fromkeys(SIGNED, [0, 1, -1, 1000, 2**63 - 1, -(2**63)]),
    **dict.fromkeys(UNSIGNED, [0, 1, 127, 128, 10**18, 1795227330250000001, 2**63, 2**64 - 1]),
    **dict.fromkeys((Field.TYPE_INT32, Field.TYPE_SINT32, Field.TYPE_ENUM),
                    [0, 1, 2, 9, -1, 2**31 - 1, -(2**31)]),
    **dict.fromkeys((Field.TYPE_UINT32, Field.TYPE_FIXED32), [0, 1, 128, 1000, 2**31, 2**32 - 1]),
}
LETTERS = ["a", "b", " ", '"', "\\", "/", "\n", "\t", "\x1b", "\0", "\x7f", "\x80", "é", "\u07ff", "\u2028",
           "€", "\ufeff", "\uffff", "🐌", "\U0010ffff"]
LENGTHS = [0, 1, 3, 12, 126, 127, 128]


# ---- Messages ------------------------------------------------------------------------------------

def fields(descriptor):
    return [field for field in descriptor.fields if name_of(field) not in LEFT_OUT]


def name_of(field):
    return f"{field.containing_type.name}.{field.name}"


def any_text(rng):
    if rng.random() < 0.01:
        return rng.choice(LETTERS) * rng.choice([16383, 16384])
    return "".join(rng.choice(LETTERS) for _ in range(rng.choice(LENGTHS)))


def any_scalar(rng, field):
    kind = field.type
    if kind == Field.TYPE_STRING:
        return any_text(rng)
    if kind == Field.TYPE_BYTES:
        return rng.randbytes(rng.choice([0, 1, 2, 8, 16, 200]))
    if rng.random() < 0.7:
        return rng.choice(EDGES[kind])
    if kind == Field.TYPE_BOOL:
        return rng.random() < 0.5
    if kind == Field.TYPE_DOUBLE:
        value, = struct.unpack("<d", rng.randbytes(8))
        return value if math.isfinite(value) else rng.uniform(-1e6, 1e6)
    low, high = min(EDGES[kind]), max(EDGES[kind])
    return max(low, min(high, rng.randrange(low, high + 1) >> rng.randrange(64)))


def fill(rng, message, depth=1):
    """Sets some of the message's fields, and those of the messages in it."""
    if depth > 1 and rng.random() < 0.07:
        return  # Empty.
    descriptor = message.DESCRIPTOR
    chosen = {oneof.name: rng.choice(fields_of_oneof(oneof)) for oneof in descriptor.oneofs}
    for field in fields(descriptor):
        oneof = field.containing_oneof
        if oneof and chosen[oneof.name] is not field or rng.random() < (0.15 if depth < 6 else 0.4):
            continue
        if field.message_type:
            if depth >= 12:  # What contains itself would never end otherwise.
                continue
            if not field.is_repeated:
                getattr(message, field.name).SetInParent()
                fill(rng, getattr(message, field.name), depth + 1)
                continue
            for _ in range(rng.choice([1, 1, 2] if depth < 5 else [0, 1, 1, 2])):
                fill(rng, getattr(message, field.name).add(), depth + 1)
        elif field.is_repeated:
            count = rng.choice([0, 1, 2, 5, 40])
            getattr(message, field.name).extend(any_scalar(rng, field) for _ in range(count))
        else:
            setattr(message, field.name, any_scalar(rng, field))


def fields_of_oneof(oneof):
    return [field for field in oneof.fields if name_of(field) not in LEFT_OUT]


def deepen(rng, value, depth):
    """Arrays and lists inside each other, down to where nothing fits any more. depth: of `value`."""
    while True:
        if depth + 3 <= DEPTH_MAX and rng.random() < 0.5:
            value = value.kvlist_value.values.add().value
            depth += 3
        elif depth + 2 <= DEPTH_MAX:
            value = value.array_value.values.add()
            depth += 2
        else:
            return


def attributes_of(signal, message):
    """An item's attributes and their depth."""
    if signal == "logs":
        return message.resource_logs.add().scope_logs.add().log_records.add().attributes, 5
    if signal == "traces":
        return message.resource_spans.add().scope_spans.add().spans.add().attributes, 5
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add()
    return metric.gauge.data_points.add().attributes, 7


def request(rng, signal):
    message = REQUESTS[signal]()
    if rng.random() < 0.98:  # An empty one is one, too.
        fill(rng, message)
    if rng.random() < 0.05:
        attributes, depth = attributes_of(signal, message)
        deepen(rng, attributes.add().value, depth + 1)
    return message


def same(message, other):
    """Equal in every field; unknown ones count."""
    return message.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


# ---- What there is, and what was seen ------------------------------------------------------------

def reachable(signal):
    """What messages of a signal can have: "Message.field", "... zero" of a scalar that may be present
    and zero, "... empty" of a message without fields."""
    found, todo = set(), [REQUESTS[signal].DESCRIPTOR]
    known = set()
    while todo:
        descriptor = todo.pop()
        if descriptor.name in known:
            continue
        known.add(descriptor.name)
        for field in fields(descriptor):
            found.add(name_of(field))
            if field.message_type:
                found.add(name_of(field) + " empty")
                todo.append(field.message_type)
            elif field.has_presence or field.is_repeated:
                found.add(name_of(field) + " zero")
    return found


def seen(message):
    found = set()
    for field, value in message.ListFields():
        found.add(name_of(field))
        for each in value if field.is_repeated else [value]:
            if field.message_type:
                found |= seen(each)
                if not each.ListFields():
                    found.add(name_of(field) + " empty")
            elif not each and (field.has_presence or field.is_repeated):
                found.add(name_of(field) + " zero")
    return found


# ---- JSON ----------------------------------------------------------------------------------------

class Written(str):
    """A value as it stands in the text."""


class Members(list):
    """An object: pairs of a name and a value, so that a name may be there twice."""


def to_json(message, rng=None):
    """OTLP JSON of a request, as bytes. rng: with all that receivers have to take besides: numbers for
    strings and strings for numbers, other forms of numbers, members in any order, members that OTLP
    does not know, nulls, escapes, blanks."""
    plain = json_format.MessageToDict(message, use_integers_for_enums=True)
    members = members_of(rng, message.DESCRIPTOR, plain)
    return "".join(write(rng, members)).encode()


def members_of(rng, descriptor, plain):
    members = Members()
    for field in fields(descriptor):
        if field.json_name in plain:
            value = plain[field.json_name]
            if field.is_repeated:
                value = [value_of(rng, field, each) for each in value]
            else:
                value = value_of(rng, field, value)
            members.append((field.json_name, value))
        elif rng and rng.random() < 0.03:
            members.append((field.json_name, None))
    while rng and rng.random() < 0.15:
        # Names of the .proto are not those of the JSON.
        snake = [field.name for field in fields(descriptor) if field.name != field.json_name]
        name = rng.choice(snake + ["unknown", "", "x" * 100, "TraceId", "é"])
        members.append((name, junk(rng)))
    if rng:
        rng.shuffle(members)
    return members


def value_of(rng, field, value):
    if field.message_type:
        return members_of(rng, field.message_type, value)
    if field.type == Field.TYPE_BYTES:
        raw = base64.b64decode(value)
        if field.name in ("trace_id", "span_id", "parent_span_id"):
            return raw.hex().upper() if rng and rng.random() < 0.3 else raw.hex()
        if rng and rng.random() < 0.3:
            value = base64.urlsafe_b64encode(raw).decode()
        return value.rstrip("=") if rng and rng.random() < 0.3 else value
    if not rng or field.type in (Field.TYPE_STRING, Field.TYPE_BOOL):
        return value
    if field.type == Field.TYPE_DOUBLE:
        if isinstance(value, str):
            return value
        form = str(int(value)) if value and value.is_integer() and rng.random() < 0.3 else repr(value)
    else:
        form = integer_form(rng, str(value))
    if len(form) > 60:  # limpet's bound for doubles.
        form = repr(value)
    return form if rng.random() < 0.4 and field.type != Field.TYPE_ENUM else Written(form)


def integer_form(rng, digits):
    """The same integer in another way that JSON has."""
    form = rng.choice(["", "", ".0", ".000", "e0", "E+00", "point", "zeros", "back"])
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    if form == "point":
        digits = f"{digits[0]}.{digits[1:] or '0'}e{len(digits) - 1}"
    elif form == "zeros" and digits != "0":
        short = digits.rstrip("0")
        digits = f"{short}e{len(digits) - len(short)}"
    elif form == "back":
        digits = f"{digits}000e-3" if digits != "0" else "0e7"
    elif form not in ("point", "zeros", "back"):
        digits += form
    return sign + digits


def junk(rng, depth=0):
    """Any value, of what nobody knows."""
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind < 6:
        return [None, True, False, Written("-1.5e+300"), any_text(rng), Written("0")][kind]
    if kind == 6:
        return [junk(rng, depth + 1) for _ in range(rng.randrange(3))]
    return Members((any_text(rng), junk(rng, depth + 1)) for _ in range(rng.randrange(3)))


def write(rng, value):
    """The pieces of the text."""
    blank = (lambda: rng.choice(["", "", "", " ", "\n\t", "\r "])) if rng else (lambda: "")
    yield blank()
    if isinstance(value, Written):
        yield value
    elif isinstance(value, str):
        yield quoted(rng, value)
    elif isinstance(value, list):
        is_object = isinstance(value, Members)
        yield "{" if is_object else "["
        for number, each in enumerate(value):
            yield ("," if number else "") + blank()
            if is_object:
                yield quoted(rng, each[0]) + blank() + ":"
                each = each[1]
            yield from write(rng, each)
        yield blank() + ("}" if is_object else "]")
    else:
        yield json.dumps(value)
    yield blank()


def quoted(rng, text):
    if not rng or rng.random() < 0.6:
        return json.dumps(text, ensure_ascii=False)
    if rng.random() < 0.5:
        return json.dumps(text)
    # Every character escaped that may be.
    units = text.encode("utf-16-be")
    form = rng.choice(["\\u{:04x}", "\\u{:04X}"])
    escaped = "".join(form.format(unit) for unit, in struct.iter_unpack(">H", units))
    return f'"{escaped}"' if rng.random() < 0.5 else json.dumps(text).replace("/", "\\/")
