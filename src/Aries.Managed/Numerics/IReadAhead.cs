namespace Aries.Managed;

/// <summary>How many cache lines a tile asks the memory for in a step, into the second cache, beside what it reads; known when the tile is compiled.</summary>
internal interface IReadAhead
{
    static abstract int LineCount { get; }
}

/// <summary>None: what it reads is near.</summary>
internal readonly struct ReadsNothingAhead : IReadAhead
{
    public static int LineCount => 0;
}

/// <summary>One.</summary>
internal readonly struct ReadsLineAhead : IReadAhead
{
    public static int LineCount => 1;
}

/// <summary>Two neighbours.</summary>
internal readonly struct ReadsTwoLinesAhead : IReadAhead
{
    public static int LineCount => 2;
}
