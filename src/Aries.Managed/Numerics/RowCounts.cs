namespace Aries.Managed;

/// <summary>A tile's height, known when the tile is compiled.</summary>
internal interface IRowCount
{
    static abstract int Count { get; }
}

/// <summary>The heights of a tile.</summary>
internal static class RowCounts
{
    public readonly struct Rows1 : IRowCount
    {
        public static int Count => 1;
    }

    public readonly struct Rows2 : IRowCount
    {
        public static int Count => 2;
    }

    public readonly struct Rows3 : IRowCount
    {
        public static int Count => 3;
    }

    public readonly struct Rows4 : IRowCount
    {
        public static int Count => 4;
    }

    public readonly struct Rows5 : IRowCount
    {
        public static int Count => 5;
    }

    public readonly struct Rows6 : IRowCount
    {
        public static int Count => 6;
    }

    public readonly struct Rows7 : IRowCount
    {
        public static int Count => 7;
    }

    public readonly struct Rows8 : IRowCount
    {
        public static int Count => 8;
    }

    public readonly struct Rows9 : IRowCount
    {
        public static int Count => 9;
    }

    public readonly struct Rows10 : IRowCount
    {
        public static int Count => 10;
    }

    public readonly struct Rows11 : IRowCount
    {
        public static int Count => 11;
    }

    public readonly struct Rows12 : IRowCount
    {
        public static int Count => 12;
    }
}
