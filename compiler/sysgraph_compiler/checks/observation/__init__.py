"""SG801 and on: what data holds."""
