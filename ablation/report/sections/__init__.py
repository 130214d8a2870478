"""The sections of the report, a folder or file a question: what it computes, says and draws. None imports others."""
