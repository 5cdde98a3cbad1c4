namespace Aries;

internal sealed record StoredTraining(StoredCheckpoint Checkpoint, TrainingReport Report);
