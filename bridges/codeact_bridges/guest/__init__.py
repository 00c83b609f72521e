"""The guest: its runtime (run in the sandbox, never imported here), its WIT world, its messages, its images."""
