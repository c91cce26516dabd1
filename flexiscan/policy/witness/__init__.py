"""What the witness on the server proves: its log, read and checked, beside what the scan asked. Pure."""
