"""The local stack: a real Kafka, Schema Registry, Connect and Flink on loopback, without Docker and without root (docs/streaming.md)."""

from stack.kits import InstallFailed, MissingTool
from stack.local import Failed, Stack
from stack.parts import PARTS, Addresses, Login, Part

__all__ = ["PARTS", "Addresses", "Failed", "InstallFailed", "Login", "MissingTool", "Part", "Stack"]
