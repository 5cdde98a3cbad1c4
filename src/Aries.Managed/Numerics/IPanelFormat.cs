namespace Aries.Managed;

/// <summary>How a step over k of a packed panel, two vectors of weights, lies in memory.</summary>
/// <typeparam name="TVector">The processor's vector.</typeparam>
internal unsafe interface IPanelFormat<TVector>
    where TVector : struct
{
    /// <summary>Gets the bytes of a step.</summary>
    static abstract int StepBytes { get; }

    /// <summary>Gets whether two vectors of scales lie before every <see cref="PackedMatrix.StepsPerScale"/> steps, and multiply them.</summary>
    static abstract bool IsScaled { get; }

    /// <summary>Loads the step's first vector, without its scale.</summary>
    static abstract TVector LoadLeft(byte* step);

    /// <summary>Loads the step's second vector, without its scale.</summary>
    static abstract TVector LoadRight(byte* step);
}

/// <summary>Both vectors one after the other.</summary>
internal readonly unsafe struct Float32Panel<TSimd, TVector> : IPanelFormat<TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static int StepBytes => 2 * TSimd.Width * sizeof(float);

    public static bool IsScaled => false;

    public static TVector LoadLeft(byte* step) => TSimd.Load((float*)step);

    public static TVector LoadRight(byte* step) => TSimd.Load((float*)step + TSimd.Width);
}

/// <summary>A vector of 32-bit lanes: the first vector in their lower halves, the second in their upper ones, so that one shift or mask widens either.</summary>
internal readonly unsafe struct BFloat16Panel<TSimd, TVector> : IPanelFormat<TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static int StepBytes => 2 * TSimd.Width * sizeof(ushort);

    public static bool IsScaled => false;

    public static TVector LoadLeft(byte* step) => TSimd.LoadLowerHalves(step);

    public static TVector LoadRight(byte* step) => TSimd.LoadUpperHalves(step);
}

/// <summary>Signed bytes of both vectors one after the other, and float32 scales.</summary>
internal readonly unsafe struct Int8Panel<TSimd, TVector> : IPanelFormat<TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static int StepBytes => 2 * TSimd.Width;

    public static bool IsScaled => true;

    public static TVector LoadLeft(byte* step) => TSimd.LoadSignedBytes(step);

    public static TVector LoadRight(byte* step) => TSimd.LoadSignedBytes(step + TSimd.Width);
}
