"""The sections of the report, a folder a question: what it computes, says, tabulates and draws. None imports others."""
