"""Our .proto is a subset of the official protocol: every message, field and name we write down has
the number, type and label that the official descriptors have."""

import os
import pathlib
import shutil
import subprocess

import pytest
from google.protobuf import descriptor_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from otlp_random import LEFT_OUT

ROOT = pathlib.Path(os.environ.get("LIMPET_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
OFFICIAL = (logs_service_pb2, metrics_service_pb2, trace_service_pb2, common_pb2, logs_pb2,
            metrics_pb2, resource_pb2, trace_pb2)

# google.rpc.Status belongs to another protocol, which the official package does not carry.
RPC_STATUS = {"code": (1, "int32"), "message": (2, "string")}

Field = descriptor_pb2.FieldDescriptorProto


def names(package_prefix, messages, enums, found):
    """Collects messages and enums, nested ones too, by their name without the package."""
    for enum in enums:
        found[package_prefix + enum.name] = enum
    for message in messages:
        found[package_prefix + message.name] = message
        names(f"{package_prefix}{message.name}.", message.nested_type, message.enum_type, found)
    return found


def ours():
    if not shutil.which("protoc"):
        pytest.fail("protoc is missing: tools/setup installs it")
    done = subprocess.run(["protoc", "-I", ROOT / "src/otlp", "--descriptor_set_out=/dev/stdout",
                           "otlp.proto"], check=True, capture_output=True)
    files = descriptor_pb2.FileDescriptorSet.FromString(done.stdout).file
    assert [file.package for file in files] == ["otlp"]
    return names("", files[0].message_type, files[0].enum_type, {})


def official():
    found = {}
    for module in OFFICIAL:
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        before = len(found)
        added = names("", file.message_type, file.enum_type, {})
        found |= added
        assert len(found) == before + len(added), "two official messages of one name"
    return found


def short(type_name):
    """The type's name without its package: packages are lower case, types are not."""
    return ".".join(part for part in type_name.split(".") if part[:1].isupper())


def shape(message, field):
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
    return {
        "number": field.number,
        "type": Field.Type.Name(field.type),
        "label": Field.Label.Name(field.label),
        "of": short(field.type_name),
        "oneof": "" if field.proto3_optional else oneof,
        "optional": field.proto3_optional,
        "packed": field.options.packed if field.options.HasField("packed") else None,
    }


OURS = ours()
THEIRS = official()
MESSAGES = [name for name, what in OURS.items() if isinstance(what, descriptor_pb2.DescriptorProto)]
ENUMS = [name for name, what in OURS.items() if name not in MESSAGES]


@pytest.mark.parametrize("name", [name for name in MESSAGES if name != "RpcStatus"])
def test_message(name):
    fields = {field.name: shape(OURS[name], field) for field in OURS[name].field}
    expected = {field.name: shape(THEIRS[name], field) for field in THEIRS[name].field}
    missing = {field for field in expected if f"{name}.{field}" not in LEFT_OUT} - fields.keys()
    assert fields == {field: expected.get(field) for field in fields}
    assert not missing, "a field of the official message that otlp.proto does not know"


@pytest.mark.parametrize("name", ENUMS)
def test_enum(name):
    values = {value.name: value.number for value in OURS[name].value}
    expected = {value.name: value.number for value in THEIRS[name].value}
    assert values.items() <= expected.items()


def test_rpc_status():
    fields = {field.name: (field.number, Field.Type.Name(field.type)[5:].lower())
              for field in OURS["RpcStatus"].field}
    assert fields == RPC_STATUS


def test_whole_protocol():
    """Every official message of the three signals is there, but those that only files use."""
    files = {"MetricsData", "LogsData", "TracesData"}
    masks = {"LogRecordFlags", "SpanFlags", "DataPointFlags"}
    assert set(THEIRS) - set(OURS) == files | masks
