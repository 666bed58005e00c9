"""The lab: designs of Linux memory management, explored to the end."""
