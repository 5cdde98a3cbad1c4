using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>How many bytes a second this machine reads from memory when nothing else is done with them.</summary>
/// <remarks>Plain reading, or with requests ahead at one of several distances: the fastest of them at the moment, which differs between machines.</remarks>
internal sealed unsafe class ReadBandwidth : IDisposable
{
    // Far beyond any cache.
    private const nint Bytes = 512 << 20;

    private static readonly nint[] Distances = [0, 1024, 4096, 8192];

    private readonly byte* _memory = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, 4096);

    public ReadBandwidth() => Unsafe.InitBlockUnaligned(_memory, 1, (uint)Bytes);

    /// <summary>Measures with every thread of a pool, each reading a part of its own: the best of some passes, in GB/s.</summary>
    public double Measure(WorkerPool pool)
    {
        // Others' reading only ever takes bandwidth away, so the fastest pass is what there was to have.
        double seconds = double.MaxValue;
        for (int round = 0; round < 2; round++)
        {
            seconds = Math.Min(seconds, Distances.Min(distance => Seconds(pool, Bytes, distance)));
        }

        return Bytes / seconds / 1e9;
    }

    /// <summary>Measures how fast so many bytes are read again and again, from the caches that hold them: the mean over about half a millisecond, in GB/s.</summary>
    public double MeasureAgain(WorkerPool pool, long bytes)
    {
        // Whole steps of the loop for every thread.
        nint length = (nint)Math.Min(bytes, Bytes) / (256 * pool.ThreadCount) * (256 * pool.ThreadCount);
        double seconds = 0;
        int passes = 0;
        Seconds(pool, length, ahead: 0);
        for (; seconds < 5e-4; passes++)
        {
            seconds += Seconds(pool, length, ahead: 0);
        }

        return length * (double)passes / seconds / 1e9;
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private double Seconds(WorkerPool pool, nint bytes, nint ahead)
    {
        long start = Stopwatch.GetTimestamp();
        pool.Run(pool.ThreadCount, (Memory: (nint)_memory, bytes, ahead, pool.ThreadCount, Results: new int[pool.ThreadCount * 32]), static (state, thread) =>
        {
            nint part = state.bytes / state.ThreadCount / 256 * 256;
            state.Results[thread * 32] = Read((byte*)state.Memory + (thread * part), part, state.ahead);
        });
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Read(byte* memory, nint length, nint ahead)
    {
        Vector256<int> a = default, b = default, c = default, d = default;
        for (byte* end = memory + length; memory < end; memory += 256)
        {
            for (int line = 0; line < 256 && ahead > 0; line += CacheLine.Bytes)
            {
                CacheLine.Request(memory + ahead + line);
            }

            a ^= Vector256.Load((int*)memory) ^ Vector256.Load((int*)(memory + 32));
            b ^= Vector256.Load((int*)(memory + 64)) ^ Vector256.Load((int*)(memory + 96));
            c ^= Vector256.Load((int*)(memory + 128)) ^ Vector256.Load((int*)(memory + 160));
            d ^= Vector256.Load((int*)(memory + 192)) ^ Vector256.Load((int*)(memory + 224));
        }

        return Vector256.Sum(a ^ b ^ c ^ d);
    }
}
