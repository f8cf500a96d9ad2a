"""What each verb does: functions of a session and the parsed options that return what Python would."""
