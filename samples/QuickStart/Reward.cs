namespace QuickStart;

/// <summary>What ranks the answers to questions of a file.</summary>
internal enum Reward
{
    /// <summary>1 for the right number, else 0: a model that never gets one right has nothing to learn from.</summary>
    Exact,

    /// <summary>Up to half a point more for words that the file's solution has too.</summary>
    Overlap,
}
