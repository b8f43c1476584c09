"""Questionnaire: respondents answer an instrument in many forms."""
