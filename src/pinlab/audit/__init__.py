"""The audit: who pins in a kernel's source, who lets go how, and who trusts a mapcount."""
